# Login shells, such as JupyterLab's terminals, begin with a PATH of their own.
PATH=/opt/venv/bin:/opt/spark/bin:$PATH
