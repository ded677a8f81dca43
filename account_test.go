package memfault_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestAccountMe_ByCredential(t *testing.T) {
	_, client := newCloud(t)
	me, err := client.WithAuth(memfault.BasicPassword(email, password)).Account.Me(t.Context())
	require.NoError(t, err)
	assert.Equal(t, email, me.Email)
	assert.Equal(t, "acme", me.Organizations[0].Slug)
	assert.True(t, me.OrganizationACLs[0].Admin)
	assert.Nil(t, me.Impersonator)
	assert.False(t, me.CreatedDate.IsZero())

	_, err = client.WithAuth(memfault.BasicPassword(email, "wrong password")).Account.Me(t.Context())
	require.ErrorIs(t, err, memfault.ErrUnauthorized)
	_, err = client.Account.Me(t.Context())
	require.ErrorIs(t, err, memfault.ErrForbidden, "the server decides about an organization token")
}

func TestAccountAPIKey_Lifecycle(t *testing.T) {
	_, client := newCloud(t)
	account := client.WithAuth(memfault.BasicPassword(email, password)).Account
	key, err := account.GetAPIKey(t.Context())
	require.NoError(t, err)
	assert.Equal(t, apiKey, key)

	fresh, err := account.GenerateAPIKey(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, key, fresh)
	_, err = client.WithAuth(memfault.BasicAPIKey(email, key)).Account.Me(t.Context())
	require.ErrorIs(t, err, memfault.ErrUnauthorized)
	_, err = client.WithAuth(memfault.BasicAPIKey(email, fresh)).Account.Me(t.Context())
	require.NoError(t, err)

	require.NoError(t, account.DeleteAPIKey(t.Context()))
	_, err = account.GetAPIKey(t.Context())
	require.ErrorIs(t, err, memfault.ErrNotFound)
}

func TestAccountGenerateAPIKey_NotRetriedAfter503(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.Fail(memfaulttest.Fault{Status: http.StatusServiceUnavailable})
	_, err := client.WithAuth(memfault.BasicPassword(email, password)).Account.GenerateAPIKey(t.Context())
	require.ErrorIs(t, err, memfault.ErrUnavailable)
	assert.Len(t, cloud.Requests("auth.generate_user_api_key"), 1)
}

func TestOrganizations_ListAndGet(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddOrganization("globex")
	organizations, err := client.Organizations.List(memfault.OrganizationListOptions{}).Collect(t.Context())
	require.NoError(t, err)
	require.Len(t, organizations, 1, "a token can access only its own organization")
	assert.Equal(t, "Acme", organizations[0].Name)

	organization, err := client.Organizations.Get(t.Context(), "acme")
	require.NoError(t, err)
	assert.Equal(t, organizations[0], *organization)
	_, err = client.Organizations.Get(t.Context(), "globex")
	require.ErrorIs(t, err, memfault.ErrForbidden)
	_, err = client.Organizations.Get(t.Context(), "nope")
	requireError(t, err, 500)
}

func ExampleAccountService_Me() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)
	client = client.WithAuth(memfault.BasicAPIKey(cloud.Email(), cloud.APIKey()))

	me, err := client.Account.Me(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(me.Name, "of", me.Organizations[0].Name)
	// Output: Jane Doe of Acme
}

func ExampleOrganizationsService_List() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)

	for organization, err := range client.Organizations.List(memfault.OrganizationListOptions{}).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(organization.Slug)
	}
	// Output: acme
}
