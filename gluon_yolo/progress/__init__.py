"""Progress of long work: bars on a terminal, log lines elsewhere."""
