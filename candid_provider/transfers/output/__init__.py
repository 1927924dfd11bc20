"""What every transfer leaves: whole files in a directory of one task's own, and a manifest that names them."""
