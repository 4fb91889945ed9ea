"""The job's life: a pure state machine (`life`), the cause of death (`cause`), the queue, the runner, the manager."""
