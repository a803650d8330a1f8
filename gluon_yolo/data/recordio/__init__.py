"""RecordIO data sets: mxnet's files of packed images and labels."""
