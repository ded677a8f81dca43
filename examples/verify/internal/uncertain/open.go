package uncertain

const incoming = "Memfault sends the requests, so that no request settles it"

// Open returns the marks that examples/verify does not settle for a reason of their own. A mark
// that is in no list requires a request whose result cannot be removed again.
func Open() []OpenMark {
	return []OpenMark{
		{"alert-id", "no operation to list alerts is known"},
		{"app-paths", "they are pages of the web application, which accepts no credential of the API"},
		{"artifact-software-type", "the field is unknown; the findings of releases.retrieve name all unknown fields"},
		{"artifact-url-expired", "it requires a wait of six hours"},
		{"build-id-head", "it requires the symbols of a build with a Memfault build ID, which cannot be removed again"},
		{"config-revision", "a response contains a number, not its meaning"},
		{"config-wrong-key", "the operation is a POST, and a wrong key on it may count against the project"},
		{"console-rate-limit", "finding a limit would require to exceed it"},
		{"install-delete", "it requires the deletion of a real install, because none can be created"},
		{"issue-counts", "a response contains numbers, not their meaning"},
		{"issue-update-status", "it requires changes of a real issue"},
		{"links-form", "it requires a list that has them"},
		{"json-form", "responses are compared after they were decoded"},
		{"linux-coredump-download", "the download of such a coredump is not tried"},
		{"mcp-tools", "the operation is a POST, and its tools are not tried"},
		{"nrf-cloud-lists", "nRF Cloud is not tried"},
		{"nrf-hosts", "the hosts are not tried"},
		{"processing-log-order", "it is not tried"},
		{"processing-log-start", "a list without a start is not tried"},
		{"project-create-token", "it requires a new project"},
		{"rollout-complete", "it requires a fleet of real devices"},
		{"rollout-selection", "it requires a fleet of real devices"},
		{"second-deployment", "it is not tried"},
		{"trace-since", "the times of the traces of a page seldom differ enough"},
		{"webhook-digest", incoming},
		{"webhook-fields", incoming},
		{"webhook-repeats", incoming},
	}
}
