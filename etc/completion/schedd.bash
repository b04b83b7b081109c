# Completion of schedd for bash: /usr/local/share/bash-completion/completions/schedd
# The program itself knows its verbs and options, so this never goes out of date.
eval "$(_SCHEDD_COMPLETE=bash_source schedd)"
