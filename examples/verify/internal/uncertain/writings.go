package uncertain

// writings returns the marks that require requests that change something.
func writings() []Mark {
	return []Mark{
		{
			Name: "cohort-update-fields", Question: "Does cohorts.update accept the switches of a cohort?", Write: true,
			Confirms: "a switch has the new value afterwards", Refutes: "400, or the old value",
		},
		{
			Name: "already-active-status", Question: "Which status has the error of a deployment that is already active?", Write: true,
			Confirms: "a message with already active, whatever the status", Refutes: "success, or another message",
		},
		{
			Name: "chunks-transfer-encoding", Question: "Does chunks.upload accept a body of unknown length?", Write: true,
			Confirms: "the content type is rejected, which is checked after the length", Refutes: "411",
		},
		{
			Name: "deployment-update-fields", Question: "Does deployments.update accept rollout_percent and status?", Write: true,
			Confirms: "both have the new value afterwards", Refutes: "400, or the old value of one",
		},
	}
}
