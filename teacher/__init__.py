"""For teachers: the students' version, and the class report. Students get nothing of this folder."""
