"""What Stride is compared with: a file a family, each with CASES (harness.py)."""
