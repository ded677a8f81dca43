package main

import (
	"slices"

	"github.com/memfault-go/memfault/internal/operation"
)

// untried returns the writing operations without a result, with the reasons.
func (s *session) untried() map[string]string {
	reasons := map[string]string{}
	for _, op := range operation.All() {
		tried := slices.ContainsFunc(s.results, func(r result) bool { return r.Name == op.Name })
		if op.Method != "GET" && op.Method != "HEAD" && !tried {
			reasons[op.Name] = whyUntried(op)
		}
	}
	return reasons
}

// whyUntried returns why -write leaves out a writing operation that has no step.
func whyUntried(op *operation.Operation) string {
	switch op {
	case operation.AuthGenerateUserAPIKey, operation.AuthResetUserAPIKey, operation.ProjectsRefreshClientKey:
		return "the old key stops working"
	case operation.ProjectsCreate, operation.ProjectsUpdate, operation.ProjectsDelete:
		return "it concerns a whole project"
	case operation.DeviceAttributesUpdateProjectKey, operation.DeviceConfigFetch:
		return "it requires the project key of the other project"
	case operation.IssuesUpdate, operation.IssuesDelete:
		return "no issue can be created without data that stays"
	case operation.InstallsDelete:
		return "no install can be created"
	case operation.AlertsUpdate:
		return "no alert can be created"
	case operation.MCPCall:
		return "its tools are unknown"
	default:
		return "what it creates cannot be removed"
	}
}
