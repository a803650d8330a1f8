"""RecordIO data sets: MXNet's packed images and labels."""
