"""What the steps share. Nothing here knows a step."""
