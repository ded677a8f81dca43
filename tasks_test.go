package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestTasksGet_Status(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddTask("6b0f", "PENDING", "SUCCESS")
	ctx := t.Context()
	for _, want := range []memfault.TaskStatus{"PENDING", memfault.TaskStatusSuccess, memfault.TaskStatusSuccess} {
		task, err := client.Tasks.Get(ctx, "6b0f")
		require.NoError(t, err)
		assert.Equal(t, want, task.Status)
		assert.JSONEq(t, fmt.Sprintf(`{"status":%q}`, want), string(task.Reply))
	}
	_, err := client.WithAuth(memfault.ProjectKey(projectKey)).Tasks.Get(ctx, "6b0f")
	require.NoError(t, err, "a project key must be accepted")
	_, err = client.Tasks.Get(ctx, "other")
	assert.Equal(t, 1003, requireError(t, err, http.StatusNotFound).Code)
	_, err = client.WithAuth(memfault.OrganizationToken("oat_wrong")).Tasks.Get(ctx, "6b0f")
	require.ErrorIs(t, err, memfault.ErrUnauthorized)
}

func TestTasks_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	_, err := client.Tasks.Get(t.Context(), "")
	requireUnsent(t, cloud, err, "task_id must not be empty")
	_, err = client.Tasks.Wait(t.Context(), "", memfault.WaitOptions{})
	requireUnsent(t, cloud, err, "task_id must not be empty")
}

func TestTasksWait_DoublesInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		cloud.AddTask("t", "PENDING", "STARTED", "A", "B", "C", "D", "E", "F", "SUCCESS")
		start := time.Now()
		task, err := client.Tasks.Wait(t.Context(), "t", memfault.WaitOptions{})
		require.NoError(t, err)
		assert.Equal(t, memfault.TaskStatusSuccess, task.Status)
		assert.Equal(t, 500*time.Millisecond+(1+2+4+8+16+30+30)*time.Second, time.Since(start))
		assert.Len(t, cloud.Requests("tasks.get_status"), 9)
	})
}

func TestTasksWait_AlreadyDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, client := newCloudInBubble(t)
		cloud.AddTask("t", "SUCCESS")
		start := time.Now()
		_, err := client.Tasks.Wait(t.Context(), "t", memfault.WaitOptions{MinInterval: time.Hour})
		require.NoError(t, err)
		assert.Zero(t, time.Since(start))
	})
}

func TestTasksWait_FailedTask(t *testing.T) {
	for _, status := range []memfault.TaskStatus{memfault.TaskStatusFailure, memfault.TaskStatusRevoked, memfault.TaskStatusError} {
		synctest.Test(t, func(t *testing.T) {
			cloud, client := newCloudInBubble(t)
			cloud.AddTask("6b0f", "PENDING", string(status))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			task, err := client.Tasks.Wait(ctx, "6b0f", memfault.WaitOptions{})
			assert.Nil(t, task)
			var failed *memfault.TaskError
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, status, failed.Task.Status)
			assert.Equal(t, "6b0f", failed.TaskID)
			assert.Equal(t, "memfault: task 6b0f ended with status "+string(status), err.Error())
		})
	}
}

func TestTasksWait_EndsWithContextOrError(t *testing.T) {
	why := errors.New("the shift is over")
	t.Run("deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cloud, client := newCloudInBubble(t)
			cloud.AddTask("6b0f", "PENDING")
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, why)
			defer cancel()
			start := time.Now()
			_, err := client.Tasks.Wait(ctx, "6b0f", memfault.WaitOptions{})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, why)
			require.ErrorContains(t, err, "waiting for task 6b0f")
			assert.Equal(t, time.Minute, time.Since(start))
		})
	})
	t.Run("canceled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cloud, client := newCloudInBubble(t)
			cloud.AddTask("6b0f", "PENDING")
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Second, cancel)
			start := time.Now()
			_, err := client.Tasks.Wait(ctx, "6b0f", memfault.WaitOptions{MinInterval: time.Minute})
			require.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, 10*time.Second, time.Since(start))
		})
	})
	t.Run("failed request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			cloud, client := newCloudInBubble(t)
			cloud.AddTask("6b0f", "PENDING")
			cloud.Fail(memfaulttest.Fault{Skip: 1, Status: http.StatusForbidden})
			_, err := client.Tasks.Wait(t.Context(), "6b0f", memfault.WaitOptions{})
			assert.Equal(t, "tasks.get_status", requireError(t, err, http.StatusForbidden).Operation)
		})
	})
}

func TestResponseTaskID_Location(t *testing.T) {
	for location, want := range map[string]string{
		"https://api.memfault.com/api/v0/queue/6b0f-11":   "6b0f-11",
		"https://api.memfault.com/api/v0/queue/6b0f/?a=b": "6b0f",
		"http://127.0.0.1:80/prefix/api/v0/queue/6b%2F0f": "6b/0f",
		"/api/v0/queue/6b0f":                              "6b0f",
		"https://api.memfault.com/api/v0/queue/6b0f/more": "",
		"https://api.memfault.com/api/v0/queue/":          "",
		"https://api.memfault.com/api/v0/other/6b0f":      "",
		"https://api.memfault.com/?x=/api/v0/queue/6b0f":  "",
		"https://api.memfault.com/api/v0/queue/%zz":       "",
		"": "",
	} {
		response := memfault.Response{Header: http.Header{"Location": {location}}}
		assert.Equal(t, want, response.TaskID(), location)
	}
	assert.Empty(t, (&memfault.Response{}).TaskID())
}

func ExampleTasksService_Wait() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddTask("d2a1f6ee", "SUCCESS")
	client := cloud.Client(nil)

	// A call with WithResponse(&response) fills it if Memfault completes the job later.
	response := memfault.Response{Header: http.Header{"Location": {"https://api.memfault.com/api/v0/queue/d2a1f6ee"}}}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	task, err := client.Tasks.Wait(ctx, response.TaskID(), memfault.WaitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(task.Status)
	// Output:
	// SUCCESS
}
