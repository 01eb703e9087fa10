"""Downloads of the log: asked for over HTTP (`handler`), made in the background (`worker`)."""
