"""Forerun from the project's own folder: everything is in workflow/Snakefile."""


include: "workflow/Snakefile"


rule default:
    default_target: True
    input:
        rules.all.input,
