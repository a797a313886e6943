"""What Stride is compared with: one file per family, each with CASES (harness.py)."""
