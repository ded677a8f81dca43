package uncertain

// readings returns the marks that GET and HEAD requests can settle.
func readings() []Mark {
	return []Mark{
		{
			Name: "auth-me-organization-token", Question: "Does auth.me accept an organization token?",
			Confirms: "auth.me succeeds with an organization token", Refutes: "auth.me fails with 401 or 403",
		},
		{
			Name: "no-user-api-key", Question: "What does auth.get_user_api_key return if no key was generated?",
			Confirms: "404, so that GetAPIKey fails with ErrNotFound", Refutes: "a success without a key, or another status",
		},
		{
			Name: "organizations-list-form", Question: "Does organizations.list have the form of the other lists?",
			Confirms: "data with a list, and paging", Refutes: "any other form",
		},
		{
			Name: "organizations-retrieve-form", Question: "Does organizations.retrieve have the form of the other objects?",
			Confirms: "data with an object", Refutes: "any other form",
		},
		{
			Name: "recording-id", Question: "Is the ID of a recording a number or a string?",
			Confirms: "a number or a string: the client decodes both", Refutes: "any other type",
		},
		{
			Name: "recordings-per-page", Question: "Does the list of a device's recordings ignore per_page and begin with the oldest?",
			Confirms: "per_page=1 returns several recordings, the oldest first", Refutes: "per_page=1 returns one recording",
		},
		{
			Name: "log-files-limit", Question: "Does the list of log files honor limit?",
			Confirms: "limit=1 returns one of several log files", Refutes: "limit=1 returns several log files, or fails",
		},
		{
			Name: "fleet-sampling-configuration", Question: "Is the fleet sampling configuration of a device a number or an object?",
			Confirms: "a number or an object with id: the client decodes both", Refutes: "any other type",
		},
		{
			Name: "devices-filter-release-owner", Question: "Does devices.list honor the filters release and owner_ref?",
			Confirms: "a value that no device has returns no device, for both filters", Refutes: "one of the filters returns devices, or fails",
		},
		{
			Name: "issues-filter-cohort", Question: "Does issues.list honor the filter cohort?",
			Confirms: "a cohort that does not exist returns no issue", Refutes: "a cohort that does not exist returns issues, or fails",
		},
		{
			Name: "first-trace-fields", Question: "Which fields does issues.first_trace return besides those of the model?",
			Confirms: "no field that the model lacks, and threads at the top level", Refutes: "other fields, or no threads",
		},
		{
			Name: "delta-release-fields", Question: "Which fields has a delta release besides the two versions?",
			Confirms: "only id, from_version and to_version", Refutes: "other fields",
		},
		{
			Name: "delta-release-files", Question: "Does delta_releases.list return the files of a delta release?",
			Confirms: "no field about files", Refutes: "a field such as artifacts",
		},
		{
			Name: "event-log-exists", Question: "Does event_log.list still exist?",
			Confirms: "success", Refutes: "404, 405 or 410",
		},
		{
			Name: "artifacts-list-path", Question: "Are the path and the form of artifacts.list_for_release right?",
			Confirms: "success, in the form of the other lists", Refutes: "404, 405 or another form",
		},
		{
			Name: "artifacts-types", Question: "Does artifacts.list_for_release read several types as repeated parameters?",
			Confirms: "the type of an artifact and a second, unknown type return that artifact, and the unknown type alone does not",
			Refutes:  "no artifact for the two types",
		},
		{
			Name: "unknown-slug-500", Question: "Is 500 the response to a project slug that does not exist?",
			Confirms: "500", Refutes: "404 or another status",
		},
		{
			Name: "processing-log-fields", Question: "Does the processing log have fields besides created_date?",
			Confirms: "only created_date", Refutes: "other fields; the shape in the report names them",
		},
		{
			Name: "deployment-statuses", Question: "Are there statuses of deployments that the client does not know?",
			Confirms: "each deployment of the list is done, in_progress, pulled or aborted", Refutes: "a deployment has another status",
		},
		{
			Name: "install-statuses", Question: "Are there statuses of installs other than success?",
			Confirms: "each install of the list has the status success", Refutes: "an install has another status",
		},
		{
			Name: "issue-created-date", Question: "Do issues in lists have created_date?",
			Confirms: "each issue of the list has it", Refutes: "an issue lacks it",
		},
		{
			Name: "events-sort-created-date", Question: "Can events be sorted by created_date?",
			Confirms: "success", Refutes: "400",
		},
		{
			Name: "task-statuses", Question: "Are there statuses of tasks other than SUCCESS?",
			Confirms: "an unknown task has another of the known statuses", Refutes: "a status that the client does not know",
		},
	}
}
