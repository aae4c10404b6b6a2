"""The question that the demo asks first: its incident's."""

ROLLBACK = """\
{
  registeredModel(name: %s) {
    inStage(stage: PRODUCTION) {
      version
      aliases
      tags(keys: ["incident", "incident_summary"]) { key value }
      manifest { sizeBytes }
    }
    versions(filterBy: {stages: [ARCHIVED]}, first: 1) {
      nodes {
        version
        description
        run { name metric(key: "rmse") code { commit } }
        manifest { sizeBytes environment { pythonVersion packages(names: ["scikit-learn"]) { version } } }
      }
    }
  }
}"""
"""What is in Production, what is wrong with it, and which version was there before; `%s` is the model's name."""
