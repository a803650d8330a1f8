"""RecordIO data sets: MXNet's packed pictures and labels."""
