"""The unversioned folder structure of earlier versions: reading it and migrating it to a run."""
