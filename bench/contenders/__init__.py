"""What is measured beside schedd: one small module for each scheduler that people would choose instead.

Each is set up as its documentation says for being on time and losing nothing, and is told so in its module.
What has to be installed goes below var/bench/, from where pip, npm and apt get their packages; the machine
stays as it is.
"""
