# Completion of schedd for fish: /usr/local/share/fish/vendor_completions.d/schedd.fish
# The program itself knows its verbs and options, so this never goes out of date.
_SCHEDD_COMPLETE=fish_source schedd | source
