package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/memfault-go/memfault/examples/relay/internal/service"
)

// rejected asks a running relay to upload the chunks that were rejected again, or to discard
// them.
func rejected(ctx context.Context, name string, args []string, out, errs io.Writer) error {
	set := flag.NewFlagSet("relay "+name, flag.ContinueOnError)
	set.SetOutput(errs)
	admin := set.String("admin", "http://"+service.Defaults().Admin, "`URL` of -admin-listen of a running relay")
	tenant := set.String("tenant", "", "only the chunks of this tenant")
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 {
		return fmt.Errorf("relay %s: unexpected argument %q", name, set.Arg(0))
	}
	path := map[string]string{"replay-rejected": "/rejected/replay", "discard-rejected": "/rejected/discard"}[name]
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, *admin+path+"?"+url.Values{"tenant": {*tenant}}.Encode(), nil) //nolint:gosec // the operator chooses the URL
	if err != nil {
		return fmt.Errorf("relay %s: %w", name, err)
	}
	request.Header.Set(service.ConfirmHeader, "yes")
	response, err := http.DefaultClient.Do(request) //nolint:gosec // likewise
	if err != nil {
		return fmt.Errorf("relay %s: is the relay running? %w", name, err)
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	var result service.Replayed
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&result); err != nil {
		return fmt.Errorf("relay %s: unexpected response of status %d", name, response.StatusCode)
	}
	done := map[string]string{"replay-rejected": "stored again", "discard-rejected": "discarded"}[name]
	fmt.Fprintf(out, "%d chunks %s, %d left\n", result.Chunks, done, result.Left)
	if result.Problem != "" {
		return errors.New(result.Problem)
	}
	return nil
}
