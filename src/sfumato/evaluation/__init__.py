"""What synthetic rows are good for, each measure between two anchors: fresh real rows and independent columns."""
