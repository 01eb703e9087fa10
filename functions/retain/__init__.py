"""What is past its time and still there goes."""
