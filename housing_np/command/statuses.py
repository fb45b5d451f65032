"""The exit statuses of all commands."""

DONE, GATE_FAILED, BAD_INPUT, BAD_ARTIFACT = 0, 1, 2, 3

DESCRIPTION = """exit status:
  0    done
  1    a limit that you set is broken; no file was written
  2    a mistake in the call or in the data; one line says where and what to do
  3    the model file is missing or damaged, or cannot be written
  130  interrupted (Ctrl-C)
  143  terminated (SIGTERM)"""
