package narrow

import "testing"

func TestAdd(t *testing.T) { add() }
