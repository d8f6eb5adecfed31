"""Questions about runs: trust, referral, comparison, labels. No Keras."""
