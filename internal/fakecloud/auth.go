package fakecloud

import (
	"net/http"
	"strings"

	"github.com/memfault-go/memfault/internal/operation"
)

const projectKeyHeader = "Memfault-Project-Key"

// credential identifies the sender of a request.
type credential struct {
	kind         operation.Credential
	user         *user
	organization *organization
	project      *project
}

func (c credential) reaches(org *organization) bool {
	if c.user == nil {
		return c.organization == org
	}
	for _, mine := range c.user.organizations {
		if mine == org {
			return true
		}
	}
	return false
}

func credentialIn(header http.Header) bool {
	return header.Get("Authorization") != "" || header.Get(projectKeyHeader) != ""
}

// authenticate checks the credential of a request: whether it is known, and whether the
// operation accepts its kind.
func (c *Cloud) authenticate(r *request) (reply, bool) {
	authorization, key := r.Header.Get("Authorization"), r.Header.Get(projectKeyHeader)
	if r.op.Credentials.Has(operation.ProjectKey) && key != "" {
		if r.credential = c.byProjectKey(key); r.credential.project == nil {
			return fail(badKeyStatus(r.op), "Invalid project key"), false
		}
		r.project = r.credential.project
		return reply{}, true
	}
	if r.op.Credentials == operation.ProjectKey {
		return fail(badKeyStatus(r.op), "The Memfault-Project-Key header is missing"), false
	}
	r.credential = c.byAuthorization(authorization, r.Request)
	if r.credential.kind == operation.NoCredential {
		return fail(http.StatusUnauthorized, "Authentication required"), false
	}
	if !r.op.Credentials.Has(r.credential.kind) {
		return fail(http.StatusForbidden, "The operation does not accept this credential"), false
	}
	return reply{}, true
}

// badKeyStatus returns the status for a bad project key: 401 for sdk_settings.get, as one
// program expects it, and 403 for all other operations.
func badKeyStatus(op *operation.Operation) int {
	if op.Name == operation.SDKSettingsGet.Name {
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

func (c *Cloud) byProjectKey(key string) credential {
	for _, org := range c.organizations {
		for _, p := range org.projects {
			if p.key == key {
				return credential{kind: operation.ProjectKey, organization: org, project: p}
			}
		}
	}
	return credential{}
}

// byAuthorization accepts an organization token as a Bearer token, and in Basic
// authentication as the password or as the user name. Programs use all three with success.
func (c *Cloud) byAuthorization(authorization string, r *http.Request) credential {
	if token, ok := strings.CutPrefix(authorization, "Bearer "); ok {
		return c.byToken(token)
	}
	name, password, _ := r.BasicAuth()
	switch {
	case name == "":
		return c.byToken(password)
	case password == "":
		return c.byToken(name)
	}
	for _, u := range c.users {
		if u.email != name {
			continue
		}
		switch password {
		case u.password:
			return credential{kind: operation.Password, user: u}
		case u.key:
			return credential{kind: operation.APIKey, user: u}
		}
	}
	return credential{}
}

func (c *Cloud) byToken(token string) credential {
	for _, org := range c.organizations {
		if token != "" && org.token == token {
			return credential{kind: operation.OrganizationToken, organization: org}
		}
	}
	return credential{}
}
