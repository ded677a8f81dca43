package operation_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/internal/operation"
)

func TestTable_Consistency(t *testing.T) {
	rows := operation.All()
	names, routes := map[string]bool{}, map[string]bool{}
	for _, op := range rows {
		assert.False(t, names[op.Name], "duplicate name %s", op.Name)
		route := op.Method + " " + op.Host.String() + " " + op.Path
		assert.False(t, routes[route], "duplicate route %s", route)
		names[op.Name], routes[route] = true, true

		assert.Regexp(t, `^[a-z_]+\.[a-z_]+$`, op.Name)
		assert.Contains(t, []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}, op.Method)
		assert.NotEmpty(t, op.Success, op.Name)
		if op.Host == operation.Presigned {
			assert.Equal(t, operation.NoCredential, op.Credentials)
			continue
		}
		assert.NotEqual(t, operation.NoCredential, op.Credentials, op.Name)
		assert.Regexp(t, `^(/([-a-z0-9_]+|\{[a-z_]+\}))+$`, op.Path)
		assert.True(t, strings.HasPrefix(op.Path, "/api/v0/") || strings.HasPrefix(op.Path, "/auth/"), op.Path)
		for _, status := range op.Success {
			assert.Equal(t, 2, status/100, op.Name)
		}
	}
}

func TestOperation_Idempotent(t *testing.T) {
	for id, want := range map[*operation.Operation]bool{
		operation.DevicesList: true, operation.DevicesUpdate: true, operation.DevicesDelete: true, operation.UploadPutFile: true,
		operation.ChunksUpload: true, operation.SymbolsExistsByGNUBuildID: true,
		operation.DevicesCreate: false, operation.CohortsCreate: false, operation.DeploymentsCreate: false,
		operation.ProjectsRefreshClientKey: false, operation.EventsUpload: false, operation.UploadCommitOTAPayload: false,
	} {
		assert.Equal(t, want, id.Idempotent(), id.Name)
	}
}

func TestCredential_Sets(t *testing.T) {
	assert.True(t, operation.Console.Has(operation.OrganizationToken))
	assert.False(t, operation.Console.Has(operation.ProjectKey))
	assert.False(t, operation.Basic.Has(operation.Console))
	assert.Equal(t, "email+password,email+api-key,organization-token", operation.Console.String())
	assert.Equal(t, "none", operation.NoCredential.String())
}
