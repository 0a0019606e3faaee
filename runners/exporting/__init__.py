"""What `runners.export` takes apart: families of models, formats of files, and the folder that is handed over."""
