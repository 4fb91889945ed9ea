"""k12ai_ws: a JSON request becomes a machine-learning job; the job's raw log becomes a durable stream of events."""
