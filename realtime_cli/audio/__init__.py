"""Where sound comes from and goes to: PortAudio devices, files, pipes, and nothing, behind the same two interfaces."""
