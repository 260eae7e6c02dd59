"""What pages show: verdicts, tables and figures made from rows."""
