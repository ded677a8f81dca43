package memfault

// AppPage identifies a page of Memfault's web app below a project. [AppDevice], [AppIssue],
// [AppRelease] and [AppCohort] create one; the zero value is the project itself.
type AppPage struct {
	resource, id string
}

// AppDevice is the page of a device.
func AppDevice(deviceSerial string) AppPage { return AppPage{"devices", deviceSerial} }

// AppIssue is the page of an issue.
func AppIssue(issueID int64) AppPage { return AppPage{"issues", pathID(issueID)} }

// AppRelease is the page of a release.
func AppRelease(version string) AppPage { return AppPage{"releases", version} }

// AppCohort is the page of a cohort.
func AppCohort(cohortSlug string) AppPage { return AppPage{"cohorts", cohortSlug} }

// AppURL returns the address of a page in Memfault's web app, for links in dashboards and
// messages. It returns "" if a slug, a serial or a version is empty, "." or "..", or an ID is
// less than 1. It sends nothing and does not check that the page exists.
//
// Not documented by Memfault; the host app.memfault.com was observed only in Memfault's
// command-line tool. UNCERTAIN: the paths; they are those of the API's resources, without
// /api/v0.
func AppURL(project ProjectRef, page AppPage) string {
	url := "https://app.memfault.com"
	segments := []string{"organizations", project.Organization, "projects", project.Project}
	if page != (AppPage{}) {
		segments = append(segments, page.resource, page.id)
	}
	for _, segment := range segments {
		if checkSegment(segment) != nil {
			return ""
		}
		url += "/" + escapeSegment(segment)
	}
	return url
}
