"""What synthetic rows are good for, each measure between two anchors: holdout rows and independent columns."""
