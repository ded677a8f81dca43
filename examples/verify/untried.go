package main

import "github.com/memfault-go/memfault/internal/operation"

// untried returns the writing operations that -write leaves out, with the reason.
func untried() map[*operation.Operation]string {
	const (
		data     = "Memfault keeps the data; it cannot be removed"
		key      = "the old key stops working"
		projects = "it concerns a whole project"
		upload   = "Memfault keeps the file; it cannot be removed"
	)
	return map[*operation.Operation]string{
		operation.AuthGenerateUserAPIKey: key, operation.AuthResetUserAPIKey: key, operation.ProjectsRefreshClientKey: key,
		operation.ProjectsCreate: projects, operation.ProjectsUpdate: projects, operation.ProjectsDelete: projects,
		operation.MCPCall:            "its tools are unknown",
		operation.CohortsMoveDevices: "the request body is unknown",

		operation.DeviceAttributesUpdateProjectKey: "it requires the project key of the other project",
		operation.DeviceConfigFetch:                "it requires the project key of the other project",
		operation.EventsUpload:                     data, operation.ChunksUpload: data, operation.UploadTraceImport: data,

		operation.IssuesUpdate:   "no issue can be created without data that stays",
		operation.IssuesDelete:   "no issue can be created without data that stays",
		operation.InstallsDelete: "no install can be created",
		operation.AlertsUpdate:   "no alert can be created",

		operation.CustomMetricsCreate: "it cannot be removed", operation.HardwareVersionsCreate: "it cannot be removed",
		operation.SoftwareVersionsCreate: "it cannot be removed",

		operation.ArtifactsUploadForRelease: upload, operation.SoftwareVersionsUploadSymbolsLegacy: upload,
		operation.UploadPrepareProjectKey: upload, operation.UploadPrepareBasicAuth: upload, operation.UploadPutFile: upload,
		operation.UploadCommitCoredump: upload, operation.UploadCoredumpRawLegacy: upload, operation.UploadCommitBugreport: upload,
		operation.UploadCommitMAR: upload, operation.UploadCommitCustomDataRecording: upload, operation.UploadCommitELFCoredump: upload,
		operation.UploadCommitXED: upload, operation.UploadCommitCoredumpProject: upload, operation.UploadCommitBugreportProject: upload,
		operation.UploadCommitMARProject: upload, operation.UploadCommitCustomDataRecordingProject: upload,
		operation.UploadCommitELFCoredumpProject: upload, operation.UploadCommitXEDProject: upload,
		operation.UploadCommitSymbols: upload, operation.UploadCommitOTAPayload: upload, operation.UploadCommitSBOM: upload,
	}
}
