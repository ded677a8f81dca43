package faultmatrix

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/memfault-go/memfault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sentinels are all exported errors of the package.
var sentinels = map[string]error{
	"ErrInvalidArgument":    memfault.ErrInvalidArgument,
	"ErrNoAnswer":           memfault.ErrNoAnswer,
	"ErrUnexpectedResponse": memfault.ErrUnexpectedResponse,
	"ErrBadRequest":         memfault.ErrBadRequest,
	"ErrUnauthorized":       memfault.ErrUnauthorized,
	"ErrForbidden":          memfault.ErrForbidden,
	"ErrNotFound":           memfault.ErrNotFound,
	"ErrConflict":           memfault.ErrConflict,
	"ErrTooLarge":           memfault.ErrTooLarge,
	"ErrRateLimited":        memfault.ErrRateLimited,
	"ErrUnavailable":        memfault.ErrUnavailable,
	"ErrWrongCredential":    memfault.ErrWrongCredential,
	"ErrNoBuildID":          memfault.ErrNoBuildID,
	"ErrNotReady":           memfault.ErrNotReady,
	"ErrTemporary":          memfault.ErrTemporary,
	"ErrDeviceFull":         memfault.ErrDeviceFull,
	"ErrNotDelivered":       memfault.ErrNotDelivered,
	"ErrSenderClosed":       memfault.ErrSenderClosed,
	"ErrWebhookSignature":   memfault.ErrWebhookSignature,
}

func TestSentinels_Complete(t *testing.T) {
	files, err := filepath.Glob("../../../*.go")
	require.NoError(t, err)
	found := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			variables, ok := declaration.(*ast.GenDecl)
			if !ok || variables.Tok != token.VAR {
				continue
			}
			for _, spec := range variables.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						found[name.Name] = true
					}
				}
			}
		}
	}
	for name := range found {
		assert.Contains(t, sentinels, name)
	}
	assert.Len(t, sentinels, len(found))
}

// kindsOf returns the names of the sentinels that match an error.
func kindsOf(err error) []string {
	kinds := []string{}
	for name, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			kinds = append(kinds, name)
		}
	}
	return kinds
}

func TestMatrix(t *testing.T) {
	for _, f := range faults {
		for _, k := range kinds {
			for _, once := range f.runs() {
				name := fmt.Sprintf("%s/%s/%s", f.name, k.name, map[bool]string{false: "always", true: "once"}[once])
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						c := &cell{kind: k, fault: f, once: once}
						requireOutcome(t, f.rule(k, once), c.run())
					})
				})
			}
		}
	}
}

// runs returns the values of once for the calls to make. A large response is never retried, so
// one call is enough for it.
func (f *fault) runs() []bool {
	if f.large {
		return []bool{false}
	}
	return []bool{false, true}
}

// requireOutcome fails if a cell did not do what the rules demand.
func requireOutcome(t *testing.T, want expectation, got outcome) {
	t.Helper()
	assert.Empty(t, got.problems)
	assert.Equal(t, want.attempts, got.attempts, "attempts: %v", got.err)
	assert.Equal(t, want.seen, got.seen, "requests that servers received")
	assert.GreaterOrEqual(t, got.took, want.min)
	assert.LessOrEqual(t, got.took, want.max)
	wanted := []string{}
	for _, sentinel := range want.errors {
		wanted = append(wanted, kindsOf(sentinel)...)
	}
	if want.temporary() {
		wanted = append(wanted, kindsOf(memfault.ErrTemporary)...)
	}
	assert.ElementsMatch(t, wanted, kindsOf(got.err), "%v", got.err)
	if len(wanted) == 0 {
		assert.NoError(t, got.err)
		return
	}
	require.Error(t, got.err)
	var network net.Error
	assert.Equal(t, want.timeout, errors.As(got.err, &network) && network.Timeout(), "%v", got.err)
	assert.NotContains(t, got.err.Error(), "s3cret")
	assert.NotRegexp(t, `\n|\?[a-zA-Z]`, got.err.Error())
}
