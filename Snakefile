"""Forerun from the project's own folder: everything is in workflow/Snakefile."""


include: "workflow/Snakefile"


rule default:
    input:
        rules.all.input,
    default_target: True
