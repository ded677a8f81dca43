package main

import (
	"bytes"
	"html/template"
	"io"
	"net/http"
	"strconv"
	texttemplate "text/template"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/operation"
	"github.com/memfault-go/memfault/memfaulttest"

	_ "embed"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// rebootChunk is a chunk of a device that restarts after a hard fault, in base64.
const rebootChunk = "CAKmAgIDAQpkbWFpbgltMi4wLjArYnVpbGQuNwZlZXZ0LTEEowEZlAACGggAEjQFAHgD"

const helpText = `  organization, project  {{.Project.Organization}}, {{.Project.Project}}
  organization token     {{.Token}}
  email                  {{.Email}}
  password               {{.Password}}
  user API key           {{.APIKey}}
  project key            {{.ProjectKey}}

Try it:
{{range .Commands}}
  {{.}}{{end}}

For a program that calls memfault.NewClientFromEnv, such as the examples; the second line is for gateways:

  export MEMFAULT_BASE_URL={{.URL}} MEMFAULT_ORG_TOKEN={{.Token}} MEMFAULT_ORG={{.Project.Organization}} MEMFAULT_PROJECT={{.Project.Project}}
  export MEMFAULT_BASE_URL={{.URL}} MEMFAULT_PROJECT_KEY={{.ProjectKey}}

In a Go program:

  client, err := memfault.NewClient(memfault.OrganizationToken("{{.Token}}"), memfault.WithBaseURL("{{.URL}}"))

`

// content is what the page and the help show.
type content struct {
	URL, Token, Email, Password, APIKey, ProjectKey string

	Project    memfault.ProjectRef
	Commands   []string
	Operations []*operation.Operation
}

func newContent(cloud *memfaulttest.Server, url string) content {
	c := content{
		URL: url, Token: cloud.OrganizationToken(), Email: cloud.Email(), Password: cloud.Password(),
		APIKey: cloud.APIKey(), ProjectKey: cloud.ProjectKey(), Project: cloud.Project(), Operations: operation.All(),
	}
	project := url + "/api/v0/organizations/" + c.Project.Organization + "/projects/" + c.Project.Project
	c.Commands = []string{
		"curl -H 'Authorization: Bearer " + c.Token + "' '" + project + "/devices?per_page=2'",
		"curl -u '" + c.Email + ":" + c.APIKey + "' '" + url + "/auth/me'",
		"curl -u ':" + c.Token + "' -X PATCH -H 'Content-Type: application/json' -d '{\"cohort\":\"beta\"}' '" + project + "/devices/SINK-0001'",
		"curl -u ':" + c.Token + "' '" + project + "/devices/SINK-0001/reboots'",
		"echo " + rebootChunk + " | base64 -d | curl -H 'Memfault-Project-Key: " + c.ProjectKey + "' -H 'Content-Type: application/octet-stream' --data-binary @- '" + url + "/api/v0/chunks/SINK-0001'",
		"curl '" + url + "/fake/requests?operation=chunks.upload'",
		"curl '" + url + "/fake/fail' -d '{\"operation\":\"devices.list\",\"status\":503,\"times\":3}'",
		"curl '" + url + "/fake/'",
	}
	for _, id := range cloud.AlertIDs() {
		alert := project + "/alerts/" + strconv.FormatInt(id, 10)
		c.Commands = append(c.Commands, "curl -u ':"+c.Token+"' -X PATCH -H 'Content-Type: application/json' -d '{\"notify_on_incident_end\":true}' '"+alert+"'")
	}
	return c
}

// printHelp prints the credentials and example requests.
func printHelp(out io.Writer, cloud *memfaulttest.Server, url string) error {
	help, err := texttemplate.New("help").Parse(helpText)
	if err != nil {
		return err
	}
	return help.Execute(out, newContent(cloud, url))
}

// page serves the same as a page, with the operations and what devices sent.
func page(cloud *memfaulttest.Server, url string, received *arrivals) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		section, _, err := received.html()
		var body bytes.Buffer
		if err == nil {
			err = pageTemplate.Execute(&body, struct {
				content
				Arrivals template.HTML
			}{newContent(cloud, url), template.HTML(section)}) //nolint:gosec // the template escaped it
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = body.WriteTo(w) // the browser may be gone
	}
}
