"""Seeds that are written anew, a file for each sort of them: functions marked by `seeds.writes`."""
