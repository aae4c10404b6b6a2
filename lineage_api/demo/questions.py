"""The question that the demo asks first: its incident's."""

ROLLBACK = """\
{
  registeredModel(name: %s) {
    rollbackPlan(stage: PRODUCTION) {
      current {
        version
        aliases
        tags(keys: ["incident", "incident_summary"]) { key value }
        manifest { sizeBytes }
      }
      target {
        version
        description
        run { name metric(key: "rmse") code { commit } }
        manifest { sizeBytes environment { pythonVersion packages(names: ["scikit-learn"]) { version } } }
      }
      isSafe
      checks { name status detail }
    }
  }
}"""
"""What is in Production, what is wrong with it, and which version to go back to; `%s` is the model's name."""
