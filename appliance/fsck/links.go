package fsck

const mostLinks = 65000 // of a directory: beyond, it says 1

// compareLinks sees whether everything has a name, and whether inodes know how many.
func (c *checker) compareLinks() {
	c.reachDirectories()
	if c.report.damaged > 0 {
		return
	}
	for g := range c.groups {
		for i := range c.groups[g].nodes {
			number, n := uint32(g)*c.super.groupInodes+uint32(i)+1, &c.groups[g].nodes[i]
			if n.kind == unused || number < c.super.firstInode && number != rootInode || n.orphan && n.claimed == 0 {
				continue
			}
			c.compareLinksOf(number, n)
		}
	}
}

// reachDirectories follows the directories from the root: each must have one that has it, which it calls its parent.
func (c *checker) reachDirectories() {
	if root := c.directory(rootInode); root.dotdot != rootInode {
		c.damage(rootInode, "the root says that it has a parent")
	} else {
		root.reached = true
	}
	for i := range c.directories {
		d := &c.directories[i]
		switch {
		case d.inode == rootInode || c.node(d.inode).orphan && c.node(d.inode).claimed == 0:
		case d.parent == 0:
			c.damage(d.inode, "it has no name any more")
		case d.parent != d.dotdot:
			c.damage(d.inode, "it says that another directory is its parent")
		}
	}
	if c.report.damaged > 0 {
		return
	}
	for i := range c.directories {
		c.reach(&c.directories[i])
	}
}

// reach follows the parents of a directory up to one that can be reached.
func (c *checker) reach(d *directory) {
	if n := c.node(d.inode); n.orphan && n.claimed == 0 {
		return
	}
	at := d
	for ; at != nil && !at.reached && at.seenFrom != d.inode; at = c.directory(at.parent) {
		at.seenFrom = d.inode
	}
	if at == nil || !at.reached {
		c.damage(d.inode, "it cannot be reached from the root")
		return
	}
	for at = d; !at.reached; at = c.directory(at.parent) {
		at.reached = true
	}
}

// compareLinksOf compares how many names an inode has with what it says.
func (c *checker) compareLinksOf(number uint32, n *node) {
	want := n.found
	if n.kind == directoryFile && n.found > mostLinks && c.super.has(2, linksFeature) {
		want = 1
	}
	switch {
	case n.found == 0:
		c.damage(number, "it has no name any more")
	case want > mostLinks:
		c.damage(number, "it has %d names", want)
	case want != uint32(n.claimed):
		c.derived(number, "it has %d names and says %d", n.found, n.claimed)
		raw := c.fixes[number]
		if raw == nil {
			raw = make([]byte, inodeSize)
			if !c.read(raw, c.inodeAt(number)) {
				return
			}
		}
		le.PutUint16(raw[26:], uint16(want))
		c.fixInode(number, raw)
	}
}
