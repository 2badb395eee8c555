"""What training access-ranker needs."""
