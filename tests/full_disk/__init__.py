"""Full disks: every command that writes meets one, says so, and works once there is room."""
