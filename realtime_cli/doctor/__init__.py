"""Whether a voice chat would work here and now, and if not, what to do. Probes look; verdicts judge; a report shows."""
