package authrules

import "hearth/matrix"

// powerLevels is the rule for m.room.power_levels; sender is the sender's level.
// spec: rooms/v12#authorization-rules 10
func (k *check) powerLevels(sender int64) error {
	next, bad := readLevels(k.v, k.e.Content)
	switch bad {
	case scalarBad: // 10.1
		return k.refuse("a level is not an integer", k.n.power, k.n.integers)
	case mapBad: // 10.2
		return k.refuse("events or notifications hold no levels", k.n.power, k.n.objects)
	case usersBad: // 10.3
		return k.refuse("users hold no levels", k.n.power, k.n.users)
	}
	for name := range next.users {
		if !isUserID(name) {
			return k.refuse("a level of no user id", k.n.power, k.n.users)
		}
	}
	if k.v.PrivilegedCreators { // 10.4
		for name := range next.users {
			if k.room.isCreator(matrix.UserID(name)) {
				return k.refuse("a level of a creator", k.n.power, k.n.creators)
			}
		}
	}
	// 10.5: the state's event, even if it is one that this one would not follow.
	if k.pl == nil {
		return nil
	}
	return k.powerChanges(k.pl, next, sender)
}

// powerChanges is rules 10.6 to 10.10. A level that is not there is not compared: only what an event says counts.
func (k *check) powerChanges(old, next *levels, sender int64) error {
	for i := range levelCount { // 10.6
		if old.present[i] == next.present[i] && old.scalars[i] == next.scalars[i] {
			continue
		}
		if old.present[i] && old.scalars[i] > sender { // 10.6.1
			return k.refuse("changes a level above the sender's", k.n.power, k.n.scalars, "1")
		}
		if next.present[i] && next.scalars[i] > sender { // 10.6.2
			return k.refuse("sets a level above the sender's", k.n.power, k.n.scalars, "2")
		}
	}
	if changedAbove(old.events, next.events, sender) ||
		k.v.NotificationsPowerAuth && changedAbove(old.notifications, next.notifications, sender) { // 10.7
		return k.refuse("changes a level above the sender's", k.n.power, k.n.oldEntries, "1")
	}
	if changedAbove(next.events, old.events, sender) ||
		k.v.NotificationsPowerAuth && changedAbove(next.notifications, old.notifications, sender) { // 10.8
		return k.refuse("sets a level above the sender's", k.n.power, k.n.newEntries, "1")
	}
	for name, level := range old.users { // 10.9
		if level >= sender && name != string(k.e.Sender) && differs(next.users, name, level) {
			return k.refuse("changes the level of a user not below the sender", k.n.power, k.n.oldUsers, "1")
		}
	}
	if changedAbove(next.users, old.users, sender) { // 10.10
		return k.refuse("gives a user a level above the sender's", k.n.power, k.n.newUsers, "1")
	}
	return nil // 10.11
}

// changedAbove reports whether any entry of m is above limit and not the same in other.
func changedAbove(m, other map[string]int64, limit int64) bool {
	for name, level := range m {
		if level > limit && differs(other, name, level) {
			return true
		}
	}
	return false
}

func differs(m map[string]int64, name string, level int64) bool {
	n, ok := m[name]
	return !ok || n != level
}
