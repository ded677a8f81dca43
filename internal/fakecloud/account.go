package fakecloud

import (
	"maps"

	"github.com/memfault-go/memfault/internal/operation"
)

// allHandlers returns the handlers of all operations.
func (c *Cloud) allHandlers() map[*operation.Operation]handler {
	all := map[*operation.Operation]handler{}
	for _, some := range []map[*operation.Operation]handler{
		c.accountHandlers(),
		c.projectHandlers(),
		c.releaseHandlers(),
		c.latestHandlers(),
		c.cohortHandlers(),
		c.deploymentHandlers(),
		c.deviceHandlers(),
		c.chunkHandlers(),
		c.installHandlers(),
		c.softwareHandlers(),
		c.deviceConfigHandlers(),
		c.eventHandlers(),
		c.issueHandlers(),
		c.traceHandlers(),
		c.recordingHandlers(),
		c.metricHandlers(),
		c.alertHandlers(),
		c.taskHandlers(),
		c.downloadHandlers(),
		c.eventUploadHandlers(),
		c.processingLogHandlers(),
		c.mcpHandlers(),
		c.uploadHandlers(),
	} {
		maps.Copy(all, some)
	}
	return all
}

func (c *Cloud) accountHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{
		operation.AuthMe:                 c.me,
		operation.AuthGetUserAPIKey:      c.getUserKey,
		operation.AuthGenerateUserAPIKey: c.generateUserKey,
		operation.AuthResetUserAPIKey:    c.resetUserKey,
		operation.OrganizationsList:      c.listOrganizations,
		operation.OrganizationsRetrieve:  c.getOrganization,
	}
}

func (c *Cloud) me(r *request) reply {
	u := r.credential.user
	if u == nil {
		return fail(403, "An organization token is not a user")
	}
	orgs, acls := []object{}, []object{}
	for _, org := range u.organizations {
		orgs = append(orgs, org.view())
		acls = append(acls, object{"admin": true, "customer_support": false, "organization": org.view()})
	}
	return bare(object{
		"id": u.id, "email": u.email, "name": u.name, "organizations": orgs, "organization_acls": acls,
		"has_accepted_privacy_notice": true, "has_accepted_terms_of_service": true, "impersonator": nil,
		"created_date": stamp(u.created), "updated_date": stamp(u.edited),
	})
}

func (c *Cloud) getUserKey(r *request) reply {
	if r.credential.user.key == "" {
		return notFound("The user has no API key")
	}
	return data(object{"api_key": r.credential.user.key})
}

func (c *Cloud) generateUserKey(r *request) reply {
	r.credential.user.key = randomHex()
	return c.getUserKey(r)
}

func (c *Cloud) resetUserKey(r *request) reply {
	r.credential.user.key = ""
	return noContent()
}

func (o *organization) view() object { return object{"id": o.id, "name": o.name, "slug": o.slug} }

func (c *Cloud) listOrganizations(r *request) reply {
	return list(r, filter(c.organizations, r.credential.reaches), (*organization).view)
}

func (c *Cloud) getOrganization(r *request) reply {
	return data(c.organization(r.PathValue("organization_slug")).view())
}
