"""The unversioned folder structure of earlier versions: reading it, and migration to a run."""
