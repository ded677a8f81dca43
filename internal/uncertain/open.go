package uncertain

const (
	notRemovable = "it requires a request whose result cannot be removed again"
	incoming     = "Memfault sends the requests, so that no request settles it"
)

// Open returns the facts that examples/verify does not settle.
func Open() []OpenMark {
	return []OpenMark{
		{Place{"alerts.go", "whether the ID of an alert is always a number"}, "no operation to list alerts is known"},
		{Place{"app_urls.go", "the paths"}, "they are pages of the web application, which accepts no credential of the API"},
		{Place{"artifacts_download.go", "how the server responds"}, "it requires a wait of six hours"},
		{Place{"coredumps_issue.go", "whether the coredump of a Linux process is downloaded"}, "the download of such a coredump is not tried"},
		{Place{"deployments_rollout.go", "whether Memfault also rejects a second deployment"}, "it is not tried"},
		{Place{"deployments_rollout.go", "whether the new rollout selects the same devices"}, "it requires a fleet of real devices"},
		{Place{"deployments_rollout.go", "whether 100 percent ends a rollout"}, "it requires a fleet of real devices"},
		{Place{"device_config.go", "whether it has this meaning"}, "a response contains a number, not its meaning"},
		{Place{"device_config.go", "which of the two"}, "the operation is a POST, and a wrong key on it may count against the project"},
		{Place{"hardware_versions.go", "how Memfault responds to a name in use"}, notRemovable},
		{Place{"installs.go", "whether Memfault still supports this operation"}, "it requires the deletion of a real install, because none can be created"},
		{Place{"issues.go", "what they count"}, "a response contains numbers, not their meaning"},
		{Place{"issues.go", "which of them Memfault accepts in an update"}, "it requires changes of a real issue"},
		{Place{"mcp.go", "the other arguments and the form of the results"}, "the operation is a POST, and its tools are not tried"},
		{Place{"options.go", "whether they still work"}, "the hosts are not tried"},
		{Place{"options.go", "in which field the items of a list are"}, "nRF Cloud is not tried"},
		{Place{"pagination_cursor.go", "what links other than an object mean"}, "it requires a list that has them"},
		{Place{"processing_log.go", "whether it is required"}, "a list without a start is not tried"},
		{Place{"processing_log.go", "the order of the entries"}, "it is not tried"},
		{Place{"metrics.go", "which fields of the metric the response contains"}, notRemovable},
		{Place{"projects.go", "whether Memfault accepts an [OrganizationToken]"}, "it requires a new project"},
		{Place{"software.go", "whether Memfault accepts both fields"}, notRemovable},
		{Place{"software.go", "whether Memfault accepts the request body"}, notRemovable},
		{Place{"software.go", "how Memfault responds if the version exists"}, notRemovable},
		{Place{"tasks.go", "whether a [ProjectKey] is sufficient"}, notRemovable},
		{Place{"traces_watch.go", "with which time of a trace Memfault compares"}, "the times of the traces of a page seldom differ enough"},
		{Place{"uploads_existing.go", "whether that holds for every"}, notRemovable},
		{Place{"uploads_kinds.go", "whether Memfault accepts both"}, notRemovable},
		{Place{"uploads_ota_payload.go", "whether Memfault rejects the same content"}, notRemovable},
		{Place{"uploads_symbols.go", "whether the look-up accepts a Memfault build ID"}, "it requires the symbols of a build with a Memfault build ID, which cannot be removed again"},
		{Place{"uploads_trace_import.go", "form of a value"}, notRemovable},
		{Place{"uploads_trace_import.go", "whether Memfault accepts addresses as numbers or as strings"}, notRemovable},
		{Place{"uploads_trace_import.go", "whether Memfault accepts both forms"}, notRemovable},
		{Place{"uploads_trace_import.go", "whether the host is right"}, notRemovable},
		{Place{"webhooks.go", "which fields each type of event has"}, incoming},
		{Place{"webhooks.go", "how Memfault writes the digest"}, incoming},
		{Place{"webhooks_handler.go", "after which responses, and how often"}, incoming},
	}
}
