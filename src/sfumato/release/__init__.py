"""What a fit leaves behind: the saved model, its certificate, the signature, and how both are verified."""
