"""From float networks to codes."""
